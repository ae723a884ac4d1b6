"""One module for each register of the synthetic population: its tables, codes and slips.

It refuses to hold anything common: that is in the modules beside this package. :mod:`adapters.synthetic.generation`
calls each module's ``write``.
"""
