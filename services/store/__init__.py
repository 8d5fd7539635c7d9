"""The bucket and the table: keys of objects, rows of users, states of objects, and the AWS clients."""
