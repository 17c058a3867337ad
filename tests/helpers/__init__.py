"""What tests share: made-up data and slow references."""
