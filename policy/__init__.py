"""What may run. Pure: no clock, no network, no docker. It turns a request into a question, and an answer into a permit."""
