"""The simulated world: towns at 50 cm and the Sentinel-2 sensor."""
