"""Three services (`auth`, `uploads`, `frontend`) over four shared packages (`web`, `store`, `pictures`, `settings`)."""
