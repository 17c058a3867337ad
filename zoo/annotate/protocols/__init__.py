"""What the viewers that people have ask of a server: QuPath's SAM extension, MONAI Label's extension, CVAT."""
