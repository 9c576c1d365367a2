"""Herald beside other servers on one machine: the same bytes, the same certificate, one worker."""
