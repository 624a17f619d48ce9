"""The client: submits jobs and collects their results. `dc.Client` and `dc.AsyncClient`."""
