"""Pictures and label images on disk, outlines as GeoJSON, and drawing."""
