"""What the pages share: the frame, the worklist, the viewer, the findings. The only room that imports streamlit."""
