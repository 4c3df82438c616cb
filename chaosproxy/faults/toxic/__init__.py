"""The TCP level, in Toxiproxy's vocabulary: what is done to the bytes of one direction of one connection."""
