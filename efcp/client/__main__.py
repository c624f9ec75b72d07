"""`python -m efcp.client` is `efcpctl` where the project is not installed by pip."""

from efcp.client.main import main

main()
