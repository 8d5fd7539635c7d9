"""What is known of the bucket and the table: keys, rows, states of objects, and the AWS clients."""
