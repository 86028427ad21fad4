#!/usr/bin/env bash
# Odd and broken TIFFs against what GDAL 3.6 makes of them: the same pixels, size, type, nodata and
# transform, or one clear error that names the file; no crash, and bounded memory.
. "$C3D_SOURCE/tests/support/check.sh"
data=$C3D_SHARED_DATA
[ -f "$data/odd_geotiffs/oracle_gdal362.tsv" ] || skip "no odd_geotiffs in $data"
rm -rf pixels && mkdir pixels
for folder in odd_geotiffs landsat_pucallpa; do
    awk -F'\t' -v OFS='\t' -v dir="$data/$folder" 'NR > 1 { $1 = dir "/" $1; print }' \
        "$data/$folder/oracle_gdal362.tsv"
done >oracle
mapfile -t files < <(cut -f1 oracle)
code=0
"$C3D_TEST_BIN/odd_rasters" pixels "${files[@]}" >said 2>errors || code=$?
[ $code = 0 ] || fail "exit $code at ${files[$(wc -l <said)]}: $(tail -3 errors)"
[ -s errors ] && fail "printed: $(head -3 errors)"
(cd pixels && sha256sum -- *.bin) | sed 's/^\([0-9a-f]*\)  \([0-9]*\).bin/\2\t\1/' >sums

awk -F'\t' -v sums=sums -v said=said '
    function wrong(what) { print "FAILED: " path ": " what; n_wrong++ }
    function compare(what, got, wanted) {
        if (got + 0 != wanted + 0 || (got ~ /[a-z]/) != (wanted ~ /[a-z]/))
            wrong(what " " got ", " wanted " expected")
    }
    BEGIN {
        while ((getline line < sums) > 0) { split(line, part, "\t"); sum[part[1]] = part[2] }
        split("Byte uint8 UInt16 uint16 Int16 int16 UInt32 uint32 Int32 int32 UInt64 uint64 " \
              "Int64 int64 Float32 float32 Float64 float64", part, " ")
        for (i = 1; i in part; i += 2) type[part[i]] = part[i + 1]
    }
    {
        path = $1
        if ((getline line < said) <= 0) { wrong("no answer"); exit }
        n = split(line, got, "\t")
        count[$3 " " got[1]]++
        if (got[1] == "refused") {
            if (index(got[2], path) == 0) wrong("the message does not name it: " got[2])
            if ($3 == "OK" && type[$7] && $6 <= 64) wrong(got[2])
            next
        }
        if ($3 == "OK" && got[1] != "read") wrong("not read whole")
        if ($3 != "OK" && $3 != "TOO_BIG") wrong("read, although the oracle says " $3)
        if ($3 != "OK") next
        compare("width", got[2], $4); compare("height", got[3], $5); compare("bands", got[4], $6)
        if (got[5] != type[$7]) wrong("type " got[5] ", " $7 " expected")
        if ($11 != "None" && got[6] != "None") compare("nodata", got[6], $11)
        if (got[6] == "None" && $11 != "None") unheld[path] = $11
        split($12 == "none" ? "0,1,0,0,0,1" : $12, t, ","); split(got[7], u, ",")
        for (i = 1; i <= 6; i++) compare("transform " i, u[i], t[i])
        if (sum[NR - 1] != $15) wrong("other pixels")
    }
    END {
        for (c in count) print c ": " count[c]
        for (p in unheld) print "nodata that the type cannot hold: " p ": " unheld[p]
        if ((getline line < said) <= 0) { print "FAILED: no peak memory"; exit 1 }
        split(line, got, "\t")
        print "peak memory " got[2] " MiB"
        exit n_wrong > 0 || got[2] > 1536
    }' oracle || fail "odd files"
rm -rf pixels
finish
