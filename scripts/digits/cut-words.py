# Cuts spoken digits from sentences with transcripts, for speakers of whom there are no recordings of single digits.
# Usage: cut-words.py sentences.tsv out     columns file, speaker, transcript; writes out/*.flac and out/labels.tsv (all of split train)
# Needs ffmpeg, and of PyPI numpy, soundfile and pocketsphinx, whose English model aligns the transcripts.
import csv, os, re, subprocess, sys
import numpy as np, soundfile
from pocketsphinx import Decoder

DIGITS = "zero one two three four five six seven eight nine".split()
SOUND_ALIKE = {"won": "one", "too": "two", "ate": "eight"}
# Words that a digit is a part of, taken apart; what stands beside the digit has a pronunciation of its own.
PARTS = {
    "sixteen": "six teen", "sixty": "six ty", "sixth": "six th", "seventeen": "seven teen", "seventy": "seven ty", "seventh": "seven th",
    "fourteen": "four teen", "forty": "four ty", "fourth": "four th", "eighteen": "eight een", "eighty": "eight y", "eighth": "eight th",
    "nineteen": "nine teen", "ninety": "nine ty", "before": "be four", "therefore": "there four", "someone": "some one", "everyone": "every one",
}
PART_SOUNDS = {"teen": "T IY N", "ty": "T IY", "th": "TH", "een": "IY N", "y": "IY", "be": "B IH"}
# An unknown word only has to hold its place: its letters are spelt as they mostly sound.
LETTER_SOUNDS = dict(zip("abcdefghijklmnopqrstuvwxyz", "AE B K D EH F G HH IH JH K L M N AA P K R S T AH V W K IY Z".split()))
RATE, FRAMES_A_SECOND, MARGIN_SECONDS = 16000, 100, 0.03
# Shorter ones are swallowed or wrongly aligned, longer ones hold something else.
SECONDS = {"six": 0.22, "seven": 0.22, "nine": 0.22, "five": 0.22, "zero": 0.22}
LEAST_SECONDS, MOST_SECONDS = 0.18, 0.9


def words_of(transcript):
    words = []
    for word in re.sub(r"[^a-z' ]", " ", transcript.lower()).split():
        parts = PARTS.get(word)
        words += [f"{part}'part" if part in PART_SOUNDS else part for part in parts.split()] if parts else [word]
    return words


def aligned(decoder, words, pcm):
    for word in set(words):
        sounds = " ".join(LETTER_SOUNDS[letter] for letter in word if letter in LETTER_SOUNDS)
        if decoder.lookup_word(word) is None and sounds:
            decoder.add_word(word, sounds, True)
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    for segment in decoder.seg() or ():
        yield re.sub(r"\(\d+\)$", "", segment.word), segment.start_frame, segment.end_frame + 1


def main(sentences, out):
    os.makedirs(out, exist_ok=True)
    decoder = Decoder(samprate=RATE, lm=None, loglevel="FATAL", beam=1e-80, wbeam=1e-60, pbeam=1e-80)
    for part, sounds in PART_SOUNDS.items():
        decoder.add_word(f"{part}'part", sounds, True)
    answers = {**{digit: digit for digit in DIGITS}, **SOUND_ALIKE}
    rows, passed_over = [], 0
    with open(sentences, newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            words = words_of(row["transcript"] or "")
            if not any(word in answers for word in words):
                continue
            command = ["ffmpeg", "-v", "error", "-i", row["file"], "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"]
            pcm = subprocess.run(command, capture_output=True, check=True).stdout
            samples, name = np.frombuffer(pcm, np.int16), os.path.splitext(os.path.basename(row["file"]))[0]
            for word, start, end in aligned(decoder, words, pcm):
                seconds = (end - start) / FRAMES_A_SECOND
                if word not in answers:
                    continue
                if not SECONDS.get(answers[word], LEAST_SECONDS) <= seconds <= MOST_SECONDS:
                    passed_over += 1
                    continue
                first = max(0, int((start / FRAMES_A_SECOND - MARGIN_SECONDS) * RATE))
                path = f"{answers[word]}-{name}-{start}.flac"
                soundfile.write(os.path.join(out, path), samples[first : int((end / FRAMES_A_SECOND + MARGIN_SECONDS) * RATE)], RATE)
                rows.append((path, answers[word], "train", row["speaker"]))
    with open(os.path.join(out, "labels.tsv"), "w") as file:
        file.writelines("\t".join(row) + "\n" for row in [("file", "label", "split", "speaker"), *rows])
    print(f"{len(rows)} words of {len({row[3] for row in rows})} speakers; {passed_over} too short or too long")


main(*sys.argv[1:])
