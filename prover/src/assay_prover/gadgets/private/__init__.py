"""Gadgets of layers whose weights are private: packed products and Freivalds' check."""
