"""Results as DICOM objects of the study that was read, for a PACS.

:func:`.objects.result_objects` makes them. Its modules import highdicom, of the optional extra ``pacs``, and are
therefore not imported here.
"""
