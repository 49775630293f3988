"""Losses, distillation, schedules and callbacks."""
