"""Whether an image is a frontal chest radiograph that can be read: header, view, exposure, burned-in text."""
