"""Characters per second of PyTorch on the CPU: `python bench_train.py lstm|tutorial SECONDS`.

`lstm` is nn.LSTM over whole windows with the sizes of Inkling's recipe `base`; `tutorial` the loop
of the PyTorch tutorial, one character at a time, with the same sizes. Both print the speed of the
fastest block of steps, which other programs disturbed least.
"""

import sys
import time

import torch
from torch import nn

SYMBOLS, EMBEDDING, HIDDEN, BATCH, WINDOW = 65, 30, 128, 32, 128
CHUNK = 200


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, HIDDEN)
        self.output = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, symbols, state):
        hidden, state = self.lstm(self.embedding(symbols), state)
        return self.output(hidden), state


def state(batch):
    return torch.zeros(1, batch, HIDDEN), torch.zeros(1, batch, HIDDEN)


def lstm(model, criterion, before):
    symbols = torch.randint(SYMBOLS, (WINDOW + 1, BATCH))
    scores, after = model(symbols[:-1], before)
    loss = criterion(scores.flatten(0, 1), symbols[1:].flatten())
    return loss, tuple(tensor.detach() for tensor in after), WINDOW * BATCH


def tutorial(model, criterion, _):
    symbols = torch.randint(SYMBOLS, (CHUNK,))
    loss, now = 0, state(1)
    for i in range(CHUNK - 1):
        scores, now = model(symbols[i].view(1, 1), now)
        loss = loss + criterion(scores.view(1, -1), symbols[i + 1].view(1))
    return loss, None, CHUNK - 1


def main():
    compute = {"lstm": lstm, "tutorial": tutorial}[sys.argv[1]]
    block = {"lstm": 20, "tutorial": 1}[sys.argv[1]]
    torch.set_num_threads(2)
    model, criterion = Model(), nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    carried, best = state(BATCH), 0.0
    end = time.perf_counter() + float(sys.argv[2])
    while time.perf_counter() < end:
        characters, begin = 0, time.perf_counter()
        for _ in range(block):
            loss, carried, learned = compute(model, criterion, carried)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            characters += learned
        best = max(best, characters / (time.perf_counter() - begin))
    print(best)


main()
