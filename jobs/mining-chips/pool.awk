# Scores of all folds together: area under the curve and balanced accuracy, with intervals by drawing
# galleries (of each class as many as there are) anew.
#   sort -g SCORES | awk -F, -v threshold=0.5 -f pool.awk DIR/import.csv -
# SCORES: score,label,frame_id a line. import.csv names the file of each frame; what is before _S2L1C
# in it is the gallery, clear and cloudy images together.

function drawn(n) { # [0, n): Lehmer's generator, the same in every awk
    state = (state * 16807) % 2147483647
    return int(state / 2147483647 * n)
}

# Sets auc, sensitivity, specificity, with weight[gallery] for each sample.
function measure(    i, k, w, below, sum, all, hits) {
    below[0] = below[1] = all[0] = all[1] = hits[0] = hits[1] = sum = 0
    for (i = 1; i <= n; i = k) { # from the lowest score on; k: past those that are equal
        tie[0] = tie[1] = 0
        for (k = i; k <= n && score[k] == score[i]; k++) {
            w = weight[gallery[k]]
            tie[label[k]] += w
            all[label[k]] += w
            if ((score[k] > threshold) == label[k]) hits[label[k]] += w
        }
        sum += tie[1] * (below[0] + tie[0] / 2)
        below[0] += tie[0]
    }
    auc = sum / (all[0] * all[1])
    sensitivity = hits[1] / all[1]
    specificity = hits[0] / all[0]
}

function interval(values,    i, k, kept) { # 2.5 % and 97.5 % of the values [1..draws]
    for (i = 2; i <= draws; i++) {
        kept = values[i]
        for (k = i - 1; k >= 1 && values[k] > kept; k--) values[k + 1] = values[k]
        values[k + 1] = kept
    }
    return sprintf("%.3f to %.3f", values[int(draws * 0.025) + 1], values[int(draws * 0.975)])
}

NR == FNR {
    if (FNR == 1) next
    name = $NF
    gsub(/^.*\//, "", name)
    sub(/_S2L1C.*$/, "", name)
    file[$1] = name
    next
}
{
    n++
    score[n] = $1 + 0
    label[n] = $2 + 0
    gallery[n] = file[$3]
    if (!(gallery[n] in size)) {
        class_of[gallery[n]] = label[n]
        member[label[n], ++galleries[label[n]]] = gallery[n]
    }
    size[gallery[n]]++
    right[gallery[n]] += (score[n] > threshold) == label[n]
}
END {
    draws = 1000
    state = 1
    for (g in size) weight[g] = 1
    measure()
    value["auc"] = auc
    value["balanced"] = (sensitivity + specificity) / 2
    printf "samples %d, galleries %d of other and %d of mines\n", n, galleries[0], galleries[1]
    printf "recall of mines %.3f, of others %.3f at %.2f\n", sensitivity, specificity, threshold
    for (d = 1; d <= draws; d++) {
        for (g in size) weight[g] = 0
        for (c = 0; c < 2; c++)
            for (i = 0; i < galleries[c]; i++) weight[member[c, 1 + drawn(galleries[c])]]++
        measure()
        aucs[d] = auc
        balanced[d] = (sensitivity + specificity) / 2
    }
    printf "auc %.3f (%s)\n", value["auc"], interval(aucs)
    printf "balanced accuracy %.3f (%s)\n", value["balanced"], interval(balanced)
    print "right by gallery:"
    for (g in size)
        printf "  %5.3f of %4d  %s %s\n", right[g] / size[g], size[g],
               class_of[g] ? "mine " : "other", g | "sort -k4,4 -k1,1g"
    close("sort -k4,4 -k1,1g")
}
