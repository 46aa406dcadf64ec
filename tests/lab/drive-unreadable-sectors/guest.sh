make_arrays 1 LAB-BAY1 LAB-BAY2
read_all $(drive LAB-BAY2)
agent check
