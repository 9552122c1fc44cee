"""What is sampled: data, a network and two collective variables make a task, and a problem."""
