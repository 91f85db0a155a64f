"""What Discord would take: rules over request bodies, with faults in the shape it reports them."""
