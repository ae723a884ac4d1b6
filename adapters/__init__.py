"""Programme data to the shared standard: mapping engine, sources, the registry API, one folder per programme.

It refuses to know keys, certificates and signatures of the bus; a security server calls it over plain HTTP.
A programme is data (a mapping, a source, a configuration); all code is here and shared by all programmes.
"""
