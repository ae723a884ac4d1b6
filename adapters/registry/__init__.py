"""The registry API: DCI's synchronous search over HTTP, in and out of the shared standard.

It refuses to know the bus: who asks stands in a header, which its institution's own security server wrote.
A request is parsed, its queries become filters, the source finds records, the mapping turns them, the contract judges.
"""
