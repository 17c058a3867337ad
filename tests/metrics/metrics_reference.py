"""Slow references, one mask for each object, straight from the definitions; and label maps to try them on."""

from itertools import permutations

import numpy as np


def objects(labels):
    return [labels == i for i in np.unique(labels) if i != 0]


def jaccard(a, b):
    return (a & b).sum() / (a | b).sum()


def dice_of(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def set_hausdorff(a, b):
    a, b = np.argwhere(a), np.argwhere(b)
    distances = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    return max(distances.min(1).max(), distances.min(0).max())


def aji(prediction, target):
    truth, predicted = objects(target), objects(prediction)
    inter = union = 0
    used = set()
    for t in truth:
        overlapping = [j for j, p in enumerate(predicted) if (t & p).any()]
        if not overlapping:
            union += t.sum()
            continue
        best = max(overlapping, key=lambda j: jaccard(t, predicted[j]))
        inter += (t & predicted[best]).sum()
        union += (t | predicted[best]).sum()
        used.add(best)
    union += sum(p.sum() for j, p in enumerate(predicted) if j not in used)
    return inter / union if union else 1.0


def aji_plus_candidates(prediction, target):
    """Values of every one-to-one assignment whose summed IoU is the largest (ties make several)."""
    truth, predicted = objects(target), objects(prediction)
    if not truth and not predicted:
        return [1.0]
    n = max(len(truth), len(predicted))
    found = {}
    for order in permutations(range(n)):
        pairs = [(i, j) for i, j in enumerate(order) if i < len(truth) and j < len(predicted)]
        pairs = [(i, j) for i, j in pairs if (truth[i] & predicted[j]).any()]
        total = sum(jaccard(truth[i], predicted[j]) for i, j in pairs)
        inter = sum((truth[i] & predicted[j]).sum() for i, j in pairs)
        union = sum((truth[i] | predicted[j]).sum() for i, j in pairs)
        union += sum(t.sum() for i, t in enumerate(truth) if i not in {i for i, _ in pairs})
        union += sum(p.sum() for j, p in enumerate(predicted) if j not in {j for _, j in pairs})
        found.setdefault(round(total, 9), []).append(inter / union)
    return found[max(found)]


def panoptic(prediction, target):
    truth, predicted = objects(target), objects(prediction)
    if not truth and not predicted:
        return 1.0, 1.0, 1.0
    matches = [jaccard(t, p) for t in truth for p in predicted if jaccard(t, p) > 0.5]
    tp, fp, fn = len(matches), len(predicted) - len(matches), len(truth) - len(matches)
    dq = tp / (tp + fp / 2 + fn / 2)
    sq = float(np.mean(matches)) if matches else 0.0
    return dq, sq, dq * sq


def dice(prediction, target):
    a, b = prediction != 0, target != 0
    return dice_of(a, b) if (a | b).any() else 1.0


def iou(prediction, target):
    a, b = prediction != 0, target != 0
    return jaccard(a, b) if (a | b).any() else 1.0


def most_overlapping(one, others):
    shared = [(one & other).sum() for other in others]
    return int(np.argmax(shared)) if shared and max(shared) > 0 else None


def glas_f1(prediction, target):
    truth, predicted = objects(target), objects(prediction)
    if not truth and not predicted:
        return 1.0
    found, tp = set(), 0
    for p in predicted:
        best = most_overlapping(p, truth)
        if best is not None and (p & truth[best]).sum() >= 0.5 * truth[best].sum():
            tp += 1
            found.add(best)
    fp, fn = len(predicted) - tp, len(truth) - len(found)
    return 2 * tp / (2 * tp + fp + fn)


def object_dice(prediction, target):
    truth, predicted = objects(target), objects(prediction)
    if not truth and not predicted:
        return 1.0

    def side(own, others):
        area = sum(o.sum() for o in own)
        best = [most_overlapping(o, others) for o in own]
        return sum(o.sum() / area * dice_of(o, others[b]) for o, b in zip(own, best, strict=True) if b is not None)

    return (side(truth, predicted) + side(predicted, truth)) / 2


def counterpart_distances(own, others, diagonal):
    result = []
    for o in own:
        best = most_overlapping(o, others)
        if not others:
            result.append(diagonal)
        elif best is None:
            result.append(min(set_hausdorff(o, other) for other in others))
        else:
            result.append(set_hausdorff(o, others[best]))
    return result


def hausdorff(prediction, target):
    truth, predicted = objects(target), objects(prediction)
    if not truth:
        return float(np.hypot(*target.shape)) if predicted else 0.0
    return float(np.mean(counterpart_distances(truth, predicted, np.hypot(*target.shape))))


def object_hausdorff(prediction, target):
    truth, predicted = objects(target), objects(prediction)
    diagonal = np.hypot(*target.shape)
    if not truth and not predicted:
        return 0.0
    if not truth or not predicted:
        return float(diagonal)

    def side(own, others):
        areas = np.array([o.sum() for o in own])
        return areas @ counterpart_distances(own, others, diagonal) / areas.sum()

    return float(side(truth, predicted) + side(predicted, truth)) / 2


def scores(prediction, target):
    dq, sq, pq = panoptic(prediction, target)
    return {
        "aji": aji(prediction, target),
        "dq": dq,
        "sq": sq,
        "pq": pq,
        "dice": dice(prediction, target),
        "iou": iou(prediction, target),
        "hausdorff": hausdorff(prediction, target),
        "object_dice": object_dice(prediction, target),
        "object_hausdorff": object_hausdorff(prediction, target),
        "f1": glas_f1(prediction, target),
    }


def rectangles(rng, shape=(24, 31), count=6, ids=None):
    """Overlapping, touching and one-pixel rectangles (some with a hole or a second part), drawn over each other."""
    labels = np.zeros(shape, np.int32)
    ids = rng.permutation(np.arange(1, count + 1)) if ids is None else ids
    for i in ids[:count]:
        h, w = rng.integers(1, 12, 2)
        r, c = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        labels[r : r + h, c : c + w] = i
        if h > 4 and w > 4 and rng.random() < 0.5:
            labels[r + 1 : r + h - 1, c + 1 : c + w - 1] = 0
        if rng.random() < 0.3:
            labels[rng.integers(0, shape[0]), rng.integers(0, shape[1])] = i
    return labels
