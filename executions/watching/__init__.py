"""What live pages read. Takes executions that a selector has found visible; decides no rights."""
