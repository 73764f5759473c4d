"""HTTP itself: sockets, bodies, calls and problem documents."""
