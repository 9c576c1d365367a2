# hypercorn_config.py
bind = "0.0.0.0:8443"
certfile = "/etc/ssl/certs/server.pem"
keyfile = "/etc/ssl/private/server-key.pem"
h2_max_concurrent_streams = 100
h2_max_header_list_size = 65536
h2_initial_window_size = 65535
workers = 4
