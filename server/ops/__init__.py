"""What set-up and the person at the keyboard need: engine, images, clients, the check-up."""
