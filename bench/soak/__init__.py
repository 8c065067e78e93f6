"""`make soak`: callers, kills and faults for ten minutes, and whether anything was lost, wrong, or grew.

Many callers ask in every way for pictures of which each is its own; the upstream breaks one answer in ten in one way
or another; again and again a worker is killed, the server reloaded, the upstream away. Every picture that arrives is
compared by its hash with the one that was drawn for it, and every URL that was announced is fetched, some of them
again after the next blow. What goes wrong has to be what the fault or the blow leads to, or it is a finding.

    faults      how an answer can break, and what may come of it
    upstream    draws the pictures, and breaks as it is told
    callers     ask in every way, each over his line
    trouble     the blows from outside
    judgement   whether what came of a call is explained
    growth      whether a process grew
    rest        whether something is left when nobody needs it any more
"""
