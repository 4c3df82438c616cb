"""What a person or a machine is told: catalogue, plan, exchanges, verdict."""
