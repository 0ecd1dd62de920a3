"""The DICOM network: studies that come from modalities and a PACS, and results that go back into them.

Nothing is sent and no port is opened unless a setting or a command asks for it. What speaks DIMSE needs pynetdicom, of
the optional extra ``pacs``, and imports it when it is used.
"""
