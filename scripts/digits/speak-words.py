# Speaks the digits with synthetic voices: English ones of espeak-ng, foreign ones that read a respelling (accents), flite, festival.
# Usage: speak-words.py out     writes out/*.wav and out/labels.tsv (all of split train)
# Needs espeak-ng, flite, festival and its voices festvox-us-slt-hts, festvox-kallpc16k, festvox-kdlpc16k; what is missing is counted.
import os, random, subprocess, sys

DIGITS = "zero one two three four five six seven eight nine".split()
ACCENTS = "en-us en-gb en-gb-scotland en-gb-x-rp en-gb-x-gbcwmd en-gb-x-gbclan en-029 en-us-nyc".split()
VARIANTS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Andy Annie Denis Diogo Gene Henrique Hugo Jacky Lee Mario Max Michael Mike Nguyen Reed "
    "Shelby Steph Tweaky anika aunty belinda benjamin boris david ed edward grandma grandpa iven kaukovalta linda marcelo miguel norbert "
    "quincy rob robert sandro steph2 travis zac"
).split()
RESPELT = {
    "de": "siroh wann tuh srih fohr faif siks sewwen eht nain",
    "fr": "ziro ouanne tou sri fore faïve sixe sévenne éïte naïne",
    "nl": "ziro wan toe srie foor faif siks sevven eet nain",
    "sv": "sirå oann toh thri får fajv sicks sevven ejt najn",
}
RESPELT_VARIANTS = ["", "+m1", "+m3", "+m7", "+f2", "+f4", "+m6"]
FLITE_VOICES, FLITE_STRETCHES = ["kal16", "awb", "rms", "slt"], [0.85, 1.0, 1.2]
FESTIVAL_VOICES = ["cmu_us_slt_arctic_hts", "kal_diphone", "ked_diphone"]
# Less than this is a header, or a word that a voice could not say.
LEAST_BYTES = 4000


def espeak(voice, text, rate, pitch):
    return ["espeak-ng", "-v", voice, "-s", str(rate), "-p", str(pitch), "-w"], text


def renditions():
    """Speaker, digit, command and text of each; the file's path stands behind the command."""
    rng = random.Random(0)
    for variant in VARIANTS:
        for digit in DIGITS:
            voice = f"{rng.choice(ACCENTS)}+{variant}"
            yield f"espeak-{variant}", digit, *espeak(voice, digit, rng.randrange(110, 220), rng.randrange(20, 80))
    for language, words in RESPELT.items():
        for variant in RESPELT_VARIANTS:
            for digit, text in zip(DIGITS, words.split()):
                speaker = f"espeak-{language}{variant.replace('+', '-')}"
                yield speaker, digit, *espeak(language + variant, text, rng.randrange(110, 200), rng.randrange(25, 75))
    for voice in FLITE_VOICES:
        for stretch in FLITE_STRETCHES:
            for digit in DIGITS:
                yield f"flite-{voice}-{stretch}", digit, ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}", "-o"], f" {digit} "
    for voice in FESTIVAL_VOICES:
        for digit in DIGITS:
            yield f"festival-{voice}", digit, ["text2wave", "-eval", f"(voice_{voice})", "-o"], digit


def main(out):
    os.makedirs(out, exist_ok=True)
    rows, missing = [], 0
    for speaker, digit, command, text in renditions():
        name = f"{digit}-{speaker}.wav"
        path = os.path.join(out, name)
        # festival reads the text from its input, flite and espeak-ng take it as the last word
        words, given = (command + [path], text) if command[0] == "text2wave" else (command + [path, text], None)
        try:
            code = subprocess.run(words, input=given, text=True, stderr=subprocess.DEVNULL).returncode
        except FileNotFoundError:
            code = 1
        if code == 0 and os.path.getsize(path) >= LEAST_BYTES:
            rows.append((name, digit, "train", speaker))
        else:
            missing += 1
    with open(os.path.join(out, "labels.tsv"), "w") as file:
        file.writelines("\t".join(row) + "\n" for row in [("file", "label", "split", "speaker"), *rows])
    print(f"{len(rows)} words of {len({row[3] for row in rows})} voices; {missing} could not be spoken")


main(*sys.argv[1:])
