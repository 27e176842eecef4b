"""Losses and gradient norms of the objectives in PyTorch, float64, on the numbers of lesson.ts: what objectives.test.ts has as
literals. Written from the papers' formulas with PyTorch's own losses, not from ours. Usage: python3 make_objectives.py"""
import math
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
ITEMS, FRAMES, S, T, C = 2, 5, 3, 4, 2
VALID = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
MASK = torch.tensor([[0, 1, 1, 0, 0], [1, 0, 1, 0, 0]], dtype=torch.bool)
UNITS = torch.tensor([[2, 0, -1, 1, 1], [3, 2, 1, -1, -1]])


def array(key, *shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(1 + 1.7 * key + 0.9 * i + 0.13 * key * i) for i in range(n)]).reshape(shape).requires_grad_()


class Lesson:
    def __init__(self, targets, parameters):
        self.layers = [array(k, ITEMS, FRAMES, S) for k in range(3)]
        self.encoder_input = array(3, ITEMS, FRAMES, S)
        self.heads = [array(4 + k, ITEMS, FRAMES, T) for k in range(3)]
        self.conv = array(7, ITEMS, FRAMES, C)
        self.targets = [array(8 + k, ITEMS, FRAMES, T).detach() for k in range(targets)]
        self.parameters = [array(8 + targets + k, *shape) for k, shape in enumerate(parameters)]

    def gradient_norm(self, loss):
        inputs = [*self.layers, self.encoder_input, *self.heads, self.conv, *self.parameters]
        found = torch.autograd.grad(loss, inputs, allow_unused=True)
        return math.sqrt(sum(float((g * g).sum()) for g in found if g is not None))


def layers(kind):
    lesson = Lesson(3, [])
    loss = 0
    for k, (head, target) in enumerate(zip(lesson.heads, lesson.targets)):
        error = (F.mse_loss if kind == "mse" else F.l1_loss)(head[VALID], target[VALID])
        loss = loss + (1.0 if k == 2 else 0.1) * error
    return lesson, loss


def cosine(predictions, targets, cosine_weight=0.7):
    """predictions: the states that each head reads."""
    lesson = Lesson(len(targets), [shape for _ in targets for shape in ((T, S), (T,))])
    loss = 0
    for k, read in enumerate(predictions(lesson)):
        predicted = F.linear(read, lesson.parameters[2 * k], lesson.parameters[2 * k + 1])[VALID]
        target = lesson.targets[k][VALID]
        loss = loss + F.l1_loss(predicted, target) - cosine_weight * F.logsigmoid(F.cosine_similarity(predicted, target, dim=-1)).mean()
    return lesson, loss / len(targets)


def gram(intra=0.5, over_width=True):
    lesson = Lesson(4 if intra else 2, [])
    taught = lesson.targets[::2] if intra else lesson.targets
    inputs = lesson.targets[1::2]
    own = {0: (lesson.encoder_input, lesson.layers[0]), 2: (lesson.layers[1], lesson.layers[2])}

    def error(a, b, c, d):
        total, pairs = 0, 0
        for item in range(ITEMS):
            n = int(VALID[item].sum())
            ours = torch.einsum("td,fd->tf", a[item, :n], b[item, :n]) / (S if over_width else 1)
            theirs = torch.einsum("td,fd->tf", c[item, :n], d[item, :n]) / (T if over_width else 1)
            total, pairs = total + ((ours - theirs) ** 2).sum(), pairs + n * n
        return total / pairs

    loss = 0
    for k, layer in enumerate((0, 2)):
        before, after = own[layer]
        loss = loss + error(after, after, taught[k], taught[k]) / 2
        if intra:
            loss = loss + intra * error(before, after, inputs[k], taught[k]) / 2
    return lesson, loss


def units():
    lesson = Lesson(0, [(2, S), (2,), (4, 2)])
    weight, bias, embeddings = lesson.parameters
    projected = F.linear(lesson.layers[2], weight, bias)
    logits = F.cosine_similarity(projected.unsqueeze(2), embeddings, dim=-1) / 0.1
    entropy = lambda chosen: F.cross_entropy(logits[chosen], UNITS[chosen], ignore_index=-1)
    penalty = lesson.conv[VALID].pow(2).mean()
    return lesson, entropy(VALID & MASK) + 0.25 * entropy(VALID & ~MASK) + 3 * penalty


CASES = {
    "layers, mse": layers("mse"),
    "layers, l1": layers("l1"),
    "cosine, all heads on the last layer": cosine(lambda l: [l.layers[2], l.layers[2]], [0, 1]),
    "groups": cosine(lambda l: [(l.encoder_input + l.layers[0]) / 2, (l.layers[1] + l.layers[2]) / 2], [0, 1]),
    "gram": gram(),
    "gram as published": gram(over_width=False),
    "gram of layers alone": gram(intra=0),
    "units": units(),
}
for name, (lesson, loss) in CASES.items():
    print(f'  "{name}": [{float(loss):.12f}, {lesson.gradient_norm(loss):.12f}],')
