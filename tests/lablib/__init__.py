"""What the lab is made of: processes, keys, servers, people, configuration."""
