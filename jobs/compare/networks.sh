# shellcheck shell=bash
# The networks of the comparison, by the name of their folder: what they are told beside what is the
# same for all. Sourced by run.sh and by slurm/compare.sbatch.
network_options() { # NAME: sets the array options; 1 if there is no such network
    case $1 in
        c3d | cnn2d | tcnn | c2plus1d) options=(--set "model.network=$1") ;;
        cnn2d-every) options=(--set model.network=cnn2d --set data.slice=every) ;;
        cnn2d-stack) options=(--set model.network=cnn2d_stack) ;;
        cnn2d-matched) options=(--set model.network=cnn2d --set model.match_parameters=c3d) ;;
        c3d-shuffled) options=(--set model.network=c3d --set data.month_order=shuffled) ;;
        *) return 1 ;;
    esac
}
