#!/usr/bin/env python3
"""Writes the text on which the model of pretrain.yaml is pretrained: books, questions with their answers, preference answers. None of it is from Dolly, on which the studies tune.

    python3 bench/methods/base-1m/corpus.py <shared/data> /tmp/corpus.txt
"""
import json, os, sys


def documents(data):
    for book in ("tinyshakespeare.txt", "wizard_of_oz.txt", "tinystories_sample.txt"):
        with open(os.path.join(data, "corpus", book), encoding="utf-8") as file:
            yield file.read()
    for name in ("arc_easy_train", "arc_easy_validation", "arc_easy_test", "arc_challenge_train", "arc_challenge_test"):
        with open(os.path.join(data, "mcq", name + ".jsonl"), encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                answers = dict(zip(record["choices"]["label"], record["choices"]["text"]))
                yield f"{record['question']} {answers[record['answerKey']]}."
    with open(os.path.join(data, "preference", "llamafactory-dpo_en_demo.json"), encoding="utf-8") as file:
        for record in json.load(file):
            yield "\n".join(turn["value"] for turn in record["conversations"])
            yield record["chosen"]["value"]
            yield record["rejected"]["value"]


with open(sys.argv[2], "w", encoding="utf-8") as out:
    for document in documents(sys.argv[1]):
        out.write(document.strip() + "\n\n")
