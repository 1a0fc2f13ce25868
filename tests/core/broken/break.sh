#!/bin/bash
# Breaks the recorder: copies src/core with its stores in a wrong order, so that a test of kills can
# be seen to fail.
#
#     break.sh NAME SOURCES... OUTPUT_FOLDER
#
# NAME is one of the functions below. Each replaces texts that must stand exactly once in their files;
# when one does not any more, the recorder has changed and the function has to follow.
set -euo pipefail
shopt -u patsub_replacement 2>/dev/null || true # of bash 5.2: & in the new text

name=$1
shift
out=${!#}

fail() {
    echo "$0: $name: $1" >&2
    exit 1
}

# replace FILE OLD NEW
replace() {
    local text rest
    text=$(<"$out/$1")
    rest=${text#*"$2"}
    [[ $rest != "$text" ]] || fail "not in $1: $2"
    [[ $rest != *"$2"* ]] || fail "twice in $1: $2"
    printf '%s\n' "${text%%"$2"*}$3$rest" >"$out/$1"
}

# The first record that uses an id is stored before the id's definition.
name_after_record() {
    local settle='
    if (mt__late_head != NULL)
        mt_store_release(mt__late_head, mt__late_def);
    mt__late_head = NULL;'
    replace emit.h 'struct mt_thread;' 'struct mt_thread;
extern __thread uint64_t *mt__late_head, mt__late_def;'
    replace slow.c 'uint64_t mt__now(void)' '__thread uint64_t *mt__late_head, mt__late_def;
uint64_t mt__now(void)'
    replace intern.c '    mt_store_release(head, mt_def_pack(type, id, words));' "$settle
    if (type == MT_DEF_CODE || type == MT_DEF_CFUNC) {
        mt__late_head = head;
        mt__late_def = mt_def_pack(type, id, words);
    } else {
        mt_store_release(head, mt_def_pack(type, id, words));
    }"
    # Where the late store goes stays mapped.
    local unmap='        mt_os_unmap(process->defs_map, process->defs_bytes);'
    replace intern.c "$unmap" '        (void)0;'
    replace file.c "$unmap" '        (void)0;'
    replace emit.h '    MT_TESTPOINT(record_stored);' "    MT_TESTPOINT(record_stored);$settle"
    replace slow.c '    MT_TESTPOINT(head_stored);' "    MT_TESTPOINT(head_stored);$settle"
}

# A definition vouches for a text that is not there yet.
definition_before_text() {
    replace intern.c '    char *at = (char *)(head + 1);' '    char *at = (char *)(head + 1);
    mt_store_release(head, mt_def_pack(type, id, words));
    MT_TESTPOINT(def_stored);'
    replace intern.c '    mt_store_release(head, mt_def_pack(type, id, words));
    MT_TESTPOINT(def_stored);
    process->defs_next' '    process->defs_next'
}

# A record of several words: its head first.
head_before_payload() {
    replace slow.c '    uint64_t *at = slot->next;
    for' '    uint64_t *at = slot->next;
    mt_store_release(at, head);
    MT_TESTPOINT(head_stored);
    for'
    replace slow.c '    mt_store_release(at, head);
    MT_TESTPOINT(head_stored);
    slot->next' '    slot->next'
}

# A record is stored in two halves, its time last.
record_in_halves() {
    replace emit.h '    mt_store_release(next, turned | word);' '    mt_store_relaxed((uint32_t *)next, word);
    MT_TESTPOINT(record_stored);
    mt_store_relaxed((uint32_t *)next + 1, (uint32_t)(turned >> 32));'
}

# A record is stored with the next one, as by a writer with a buffer of its own.
record_late() {
    local settle='
    if (mt__late_at != NULL)
        mt_store_release(mt__late_at, mt__late_word);
    mt__late_at = NULL;'
    replace emit.h 'struct mt_thread;' 'struct mt_thread;
extern __thread uint64_t *mt__late_at, mt__late_word;'
    replace slow.c 'uint64_t mt__now(void)' '__thread uint64_t *mt__late_at, mt__late_word;
uint64_t mt__now(void)'
    replace emit.h '    mt_store_release(next, turned | word);' "$settle
    mt__late_at = next;
    mt__late_word = turned | word;"
    replace slow.c 'void mt__release_chunk(struct mt_thread *thread)
{' "void mt__release_chunk(struct mt_thread *thread)
{$settle"
    replace slow.c '    uint64_t *at = slot->next;
    for' "$settle
    uint64_t *at = slot->next;
    for"
}

# A chunk exists before its header says whose it is.
chunk_before_header() {
    replace slow.c '    mt__chunk_commit(chunk, bytes);
' ''
    replace slow.c '    chunk->type = MT_CHUNK_EVENTS;' '    mt__chunk_commit(chunk, bytes);
    chunk->type = MT_CHUNK_EVENTS;'
}

# A chunk exists before its words are zeros.
chunk_before_zeros() {
    replace slow.c '    mt__chunk_commit(chunk, bytes);' '    memset(chunk + 1, 0x55, bytes - sizeof *chunk);
    mt__chunk_commit(chunk, bytes);
    memset(chunk + 1, 0, bytes - sizeof *chunk);'
}

# A file is a trace before its header is filled in.
magic_before_header() {
    replace file.c '    fill_header(header, origin);' '    mt_store_release(&header->magic, MT_FILE_MAGIC);
    MT_TESTPOINT(header_stored);
    fill_header(header, origin);'
    replace file.c '    mt_store_release(&header->magic, MT_FILE_MAGIC);
    MT_TESTPOINT(header_stored);
    process->file' '    process->file'
}

# A child goes on where its parent writes.
fork_not_noticed() {
    replace thread.c 'mt_os_wiped_pages(MT_SLOTS_PER_BLOCK * sizeof(struct mt_slot), &wiped)' \
        '(wiped = true, (void)wiped, mt_os_pages(MT_SLOTS_PER_BLOCK * sizeof(struct mt_slot)))'
}

mkdir -p "$out"
for source in "${@:1:$#-1}"; do
    cp "$source" "$out/"
    chmod u+w "$out/${source##*/}"
done
"$name"
