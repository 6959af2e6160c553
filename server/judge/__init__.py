"""What says yes or no: the parser, the policy engines, approvals and limits."""
