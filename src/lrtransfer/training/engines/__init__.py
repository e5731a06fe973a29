"""What trains: engines, which turn blocks of jobs into outcomes."""
