# shellcheck shell=bash
# The database server of the guest's tree, run through chroot: how rows get onto the disk without
# booting it. Sourced; expects ROOTFS.

pg_bin=/usr/lib/postgresql/15/bin
pg_data=/var/lib/postgresql/15/main
pg_conf=/etc/postgresql/15/main/postgresql.conf
pg_log=/var/log/postgresql/postgresql-15-main.log

in_guest_as_postgres() {
    chroot --userspec=postgres "$ROOTFS" env -i \
        HOME=/var/lib/postgresql PATH=/usr/bin:/bin LC_ALL=C.UTF-8 TZ=UTC "$@"
}

# No TCP, and no shared memory outside the tree: it must run where /dev/shm is not mounted, beside
# any PostgreSQL that the machine itself runs. The log is the guest's own and stays on its disk.
postgres_start() {
    in_guest_as_postgres "$pg_bin/pg_ctl" --pgdata="$pg_data" --log="$pg_log" --wait --silent start \
        --options="-c config_file=$pg_conf -c data_directory=$pg_data -c listen_addresses= -c unix_socket_directories=/tmp -c dynamic_shared_memory_type=mmap" 9>&- || {
        tail -n 5 "$ROOTFS$pg_log" >&2
        return 1
    }
}

# A clean stop: a checkpoint, and nothing left to recover.
postgres_stop() {
    in_guest_as_postgres "$pg_bin/pg_ctl" --pgdata="$pg_data" --mode=fast --wait --silent stop
}

# For a build that was stopped half-way: its tree is thrown away, so how it stops does not matter.
postgres_kill() {
    if [[ -e $ROOTFS$pg_data/postmaster.pid ]]; then
        in_guest_as_postgres "$pg_bin/pg_ctl" --pgdata="$pg_data" --mode=immediate --silent stop || true
    fi
}

# Runs SQL from standard input in the given database; prints bare values.
sql() {
    in_guest_as_postgres "$pg_bin/psql" --host=/tmp --dbname="$1" --no-psqlrc --quiet \
        --tuples-only --no-align --set=ON_ERROR_STOP=1
}
