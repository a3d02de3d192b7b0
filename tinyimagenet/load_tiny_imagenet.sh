#!/usr/bin/env bash
# Download Tiny ImageNet, check it, and lay it out by class.
#
#   tinyimagenet/load_tiny_imagenet.sh [FOLDER]      FOLDER is ./data unless given
#
# It leaves FOLDER/tiny-imagenet-200 with train/CLASS/images/*.JPEG and val/CLASS/images/*.JPEG, and
# the archive beside it. Run again it does nothing; after an interruption it goes on where it was.
# TINY_IMAGENET_URL, TINY_IMAGENET_MD5 and TINY_IMAGENET_BYTES name another source, its checksum and
# the most bytes that are taken from it. The published address is asked by https and, where that is
# not to be had, by http: nothing is unpacked but what has the checksum.
set -euo pipefail
unset CDPATH

published=cs231n.stanford.edu/tiny-imagenet-200.zip
url=${TINY_IMAGENET_URL:-https://$published}
md5=${TINY_IMAGENET_MD5:-90528d7ca1a48142e341f4ef8d21d0de}
most=${TINY_IMAGENET_BYTES:-248100043}
least=10000 # bytes a second, in each minute
class_name='^n[0-9]+$'
image_name='^[A-Za-z0-9_]+\.JPEG$'

fail() {
    printf 'load_tiny_imagenet.sh: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" > /dev/null 2>&1; }

have md5sum || have md5 || fail "md5sum or md5 is needed"
have curl || have wget || fail "curl or wget is needed"
have unzip || have python3 || fail "unzip or python3 is needed"

if (($# > 1)) || [[ ${1:-} == -* ]]; then
    printf 'usage: %s [FOLDER]    (./data unless given)\n' "$0" >&2
    [[ ${1:-} == -h || ${1:-} == --help ]] && exit 0
    exit 2
fi
mkdir -p -- "${1:-data}" || fail "cannot make the folder ${1:-data}"
cd -- "${1:-data}"
target=tiny-imagenet-200
archive=tiny-imagenet-200.zip
part=$archive.part
unpacked=.$target.unpacking

if have flock; then
    exec 9> ".$target.lock"
    flock -n 9 || fail "another run is at work in $PWD"
fi

checksum_of() {
    if have md5sum; then
        md5sum < "$1" | cut -d ' ' -f 1
    else
        md5 -q "$1"
    fi
}

is_whole() { [[ -e $1 && $(checksum_of "$1") == "$md5" ]]; }

# Download $2 into file $1, going on with what it holds; the system ends what makes it too large.
take() (
    ulimit -c 0 -f $((most / 1024 + 1)) 2> /dev/null || true
    if have curl; then
        curl --fail --location --max-redirs 5 --proto-redir =https,http --retry 3 \
            --connect-timeout 20 --speed-time 60 --speed-limit "$least" --max-filesize "$most" \
            --progress-bar --continue-at - --output "$1" "$2"
    else
        wget --continue --tries 3 --timeout 60 --progress=dot:giga --output-document "$1" "$2"
    fi
)

fetch() {
    local code=0
    take "$1" "$url" || code=$?
    # By https there is nobody, or somebody else (curl: 7, 35, 60; wget: 4, 5).
    if [[ $url == "https://$published" && $code =~ ^(4|5|7|35|60)$ ]]; then
        url=http://$published
        code=0
        take "$1" "$url" || code=$?
    fi
    return "$code"
}

download() {
    local resumed='' code=0
    if is_whole "$archive"; then return; fi
    if [[ -e $archive ]]; then mv -f -- "$archive" "$part"; fi
    if ! is_whole "$part"; then
        if [[ -s $part ]]; then resumed=yes; fi
        fetch "$part" || code=$?
    fi
    # It came to its end and is wrong, or the server refused to go on with it (curl: 22, 33, 36;
    # wget: 8): what was here before is no beginning of the archive. Any other failure is a broken
    # connection, whose part is kept.
    if [[ $resumed && $code =~ ^(0|8|22|33|36)$ ]] && ! is_whole "$part"; then
        rm -f -- "$part.fresh"
        code=0
        fetch "$part.fresh" || code=$?
        if [[ -s $part.fresh ]]; then mv -f -- "$part.fresh" "$part"; fi
    fi
    if ! is_whole "$part"; then
        # curl was told so (63), or the system ended it by signal 25 (153).
        if [[ $code == 63 || $code == 153 ]]; then
            rm -f -- "$part"
            fail "what $url sends is larger than $most bytes"
        fi
        ((code == 0)) || fail "$url could not be downloaded; run again to go on"
        rm -f -- "$part"
        fail "what $url sent has not the checksum $md5"
    fi
    mv -f -- "$part" "$archive"
}

# Move every validation image from val/images into the folder of its class. Images that are already
# there are passed over, so an interrupted sort can be repeated.
sort_validation() {
    local folder=$1 image class previous='' files=()
    [[ -d $folder/val/images ]] || return 0
    [[ -r $folder/val/val_annotations.txt ]] || fail "$folder/val/val_annotations.txt is missing"
    flush() {
        ((${#files[@]})) || return 0
        mkdir -p -- "$folder/val/$previous/images"
        mv -- "${files[@]}" "$folder/val/$previous/images/"
        files=()
    }
    while IFS=$'\t' read -r image class _; do
        [[ $class =~ $class_name && $image =~ $image_name ]] ||
            fail "$folder/val/val_annotations.txt has a line that names no image and class"
        if [[ $class != "$previous" ]]; then
            flush
            previous=$class
        fi
        if [[ -e $folder/val/images/$image ]]; then
            files+=("$folder/val/images/$image")
        elif [[ ! -e $folder/val/$class/images/$image ]]; then
            fail "validation image $image is missing"
        fi
    done < <(LC_ALL=C sort -t $'\t' -k 2,2 -k 1,1 "$folder/val/val_annotations.txt")
    flush
    rmdir -- "$folder/val/images" || fail "$folder/val/images holds images without a class"
}

# Refuse a folder that is not laid out as the loader reads it.
require_whole() {
    local folder=$1 class part images
    if [[ ! -e $folder/wnids.txt ]]; then
        [[ ! -e $folder/$target/wnids.txt ]] ||
            fail "$PWD/$folder holds another $target: move that here in its place, and run again"
        fail "$PWD/$folder has no wnids.txt: remove that folder, and run again"
    fi
    while read -r class; do
        [[ $class =~ $class_name ]] || fail "$PWD/$folder/wnids.txt names what is no class"
        for part in train val; do
            images=("$folder/$part/$class/images/"*.JPEG)
            [[ -e ${images[0]} ]] ||
                fail "$PWD/$folder/$part/$class/images has no images: remove $folder, and run again"
        done
    done < "$folder/wnids.txt"
}

if [[ ! -d $target ]]; then
    download
    # Unpacked and sorted aside, so that the folder appears only when it is complete.
    rm -rf -- "$unpacked"
    mkdir -- "$unpacked"
    printf 'unpacking %s\n' "$archive"
    if have unzip; then
        unzip -q "$archive" -d "$unpacked"
    else
        python3 -m zipfile -e "$archive" "$unpacked"
    fi
    sort_validation "$unpacked/$target"
    mv -- "$unpacked/$target" "$target"
    rmdir -- "$unpacked"
else
    sort_validation "$target" # unpacked by hand, perhaps
fi
require_whole "$target"
printf 'Tiny ImageNet is ready in %s\n' "$PWD/$target"
