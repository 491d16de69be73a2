"""Attacks: adversarial images from a classifier, images and labels."""
