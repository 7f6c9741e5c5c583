"""A package, which the other folders are not, so that its fixtures end when its tests have ended."""
