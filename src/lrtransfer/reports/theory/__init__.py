"""What `lrtransfer.theory` computes, as JSON documents and as tables for people."""
