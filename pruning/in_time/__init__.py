"""What changes masks while a network is trained: one file a method.

A module of this package, which a pruner's entry in `pruning.PRUNERS` names, has ``SCHEDULE``, a
`schedule.Schedule`, and a pure function `update(layers, fraction, draw, carried)`:

layers : sequence of layers.Layer
    All layers that change.
fraction : float
    The schedule's, at this step.
draw : callable
    From the name of a layer to its stream of random numbers (`numpy.random.Generator`) for this
    update.
carried : float
    What the update before has handed on; at first the schedule's ``carried``.

It returns the new masks, bool tensors in the order of the layers, and what it hands on. All masks
together keep as many weights as before. A weight that is dropped and grown again in one update has
not moved: it keeps its value.
"""
