"""Running a tune's code and keeping what it says to the SID, as frames or as writes."""
