"""What every resource uses: errors, files, memory, processes, settings, HTTP."""
