"""What attackers try, and that it is refused, costs little, and harms nobody else."""
