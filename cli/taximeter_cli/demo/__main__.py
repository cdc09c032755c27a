"""The sample as a program, for whoever wants to meter it in a way of their own."""

from taximeter_cli.demo.sample import main

if __name__ == "__main__":
    main()
