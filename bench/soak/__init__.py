"""`make soak`: callers, kills and faults for ten minutes; fails if anything is lost, wrong or growing.

Many callers send every kind of request, each for a picture of its own. The upstream breaks one answer in ten. Workers
are killed, the server is reloaded, the upstream goes down. Every picture that arrives is compared by its hash with the
one that was drawn for it, and every URL in an answer is fetched, some of them again after the next disruption. An error
that neither the fault nor a disruption explains is a finding.

    faults       how an answer can break, and what a caller may get then
    upstream     draws the pictures, and breaks answers as the prompt says
    callers      send every kind of request
    returning    callers that lose patience and come back, as SDKs do and with an idempotency key
    ledger       what became of every picture that was sold: no call is sold one twice
    errors       what an error means
    connection   one caller's HTTP connection
    disruptions  kills, reloads, and an upstream that is down
    outcomes     whether the outcome of a call is explained
    growth       whether a process grew
    leftovers    whether anything is left when all callers are gone
"""
